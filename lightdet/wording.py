"""Numbers in sentences."""


def counted(number: int, what: str) -> str:
    """``1 box``, ``2 boxes``, ``1,000 pictures``: `what` is the word for one."""
    many = f"{what}es" if what.endswith(("x", "s", "sh")) else f"{what}s"
    return f"{number:,} {what if number == 1 else many}"
