"""The page at `/_mock/ui`: the operator's view of all environments, and each partner's view of their own.

Server-rendered; JavaScript only keeps the request log current and copies commands. Nothing here is imported before
somebody asks for the page.
"""
