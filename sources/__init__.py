"""The agencies: what they declare, how they are asked, and stand-ins for them."""
