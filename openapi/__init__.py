"""The SIP trunk contract: an OpenAPI 3.0.3 description, as a file and in parsed form."""
