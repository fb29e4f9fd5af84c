"""Numbers as the report prints them."""

import math

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def interval(estimate: float, low: float, high: float) -> str:
    """An estimate with its interval; a dash where there is none."""
    if math.isnan(estimate):
        return "–"
    if math.isnan(low) or math.isnan(high):
        return f"{number(estimate)} [–]"
    return f"{number(estimate)} [{number(low)}, {number(high)}]"


def number(value: float) -> str:
    """Digits that mean something at the number's size, with a real minus sign."""
    size = abs(value)
    if size < 1e-15:  # what rounding left of zero
        return "0.00"
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if size >= 1e7:
        exponent = math.floor(math.log10(size))
        return f"{value / 10.0**exponent:.1f}·10{str(exponent).translate(SUPERSCRIPT)}".replace("-", "−")
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 0.01 or size == 0 else 3
    text = f"{value:,.{digits}f}" if size >= 0.0005 or size == 0 else f"{value:.1e}"
    return text.replace("-", "−")


def p_value(value: float) -> str:
    return "–" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def probability(log_prob: float) -> str:
    """A probability from its logarithm, with two digits that mean something."""
    if math.isnan(log_prob) or math.isinf(log_prob):
        return "–" if math.isnan(log_prob) else "0"
    value = math.exp(log_prob)
    if value >= 0.001:
        return f"{value:.2g}"
    exponent = math.floor(log_prob / math.log(10))
    return f"{10 ** (log_prob / math.log(10) - exponent):.1f}·10{str(exponent).translate(SUPERSCRIPT)}"
