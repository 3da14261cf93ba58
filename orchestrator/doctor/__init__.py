"""
Looks at everything that has to be right before money is spent, and changes nothing.

What can be seen from here is seen from here; what a provider or a proxy thinks is asked, with
requests that cost nothing and leave nothing behind.
"""

from orchestrator.doctor.examination import diagnose

__all__ = ["diagnose"]
