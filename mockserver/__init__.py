"""A mock of the SIP trunk API: the contract's operations over state in memory."""
