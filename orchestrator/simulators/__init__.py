"""
Stand-ins for the providers, with faults by name, on which a workflow can be tried before it costs money.

Written from the providers' own documents and never from our connectors: what
a connector gets wrong, its simulator must be able to notice.
"""
