"""The only SQL of the gateway: answers kept, plans, who is on them, and what they used."""
