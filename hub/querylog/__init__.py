"""The query log: the durable record of who saw what of whom, why and under which law."""
