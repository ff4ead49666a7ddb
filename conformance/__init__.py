"""Checks whether an implementation keeps the SIP trunk contract: rules, probes, a runner on pytest, and reports."""
