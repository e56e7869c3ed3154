"""Reading the query log: searching it, looking for misuse, telling recipients, handing it out."""
