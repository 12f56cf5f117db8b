"""Where everything lies: object store, addresses, layout, stage tables, units and ledger."""
