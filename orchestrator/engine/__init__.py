"""What happens next: events, the state they fold into, the decisions. Pure: no clock, no I/O."""
