"""How many sequences a round trains."""


def batch_sequences(start: int, end: int, ramp_steps: int, step: int) -> int:
    """B = start + floor((end - start) * min(step, ramp) / ramp); ``end`` without a ramp."""
    if step >= ramp_steps or end <= start:
        return end
    return start + (end - start) * step // ramp_steps
