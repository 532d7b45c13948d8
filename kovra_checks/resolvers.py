"""Public recursive resolvers asked in real migrations when the configuration names none. Never contacted by a test."""

from __future__ import annotations

__all__ = ["PUBLIC_RESOLVERS"]

PUBLIC_RESOLVERS = ("1.1.1.1", "8.8.8.8", "9.9.9.9", "208.67.222.222", "64.6.64.6")
