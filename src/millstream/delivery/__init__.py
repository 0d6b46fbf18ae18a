"""The last mile: order per record, folding, batches, outcomes, parking, dead letters. Knows no vendor."""
