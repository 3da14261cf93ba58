"""Everything durable: small protocols (log, inbox, schedule, views) and the databases behind them."""
