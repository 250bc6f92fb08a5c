"""Lamports for people."""

LAMPORTS_PER_SOL = 1_000_000_000


def sol(lamports: int) -> str:
    """Lamports as SOL, without trailing zeros and without rounding."""
    whole, rest = divmod(lamports, LAMPORTS_PER_SOL)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".") + " SOL"
