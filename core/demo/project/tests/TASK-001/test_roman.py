import pytest
from pocket.roman import to_roman


@pytest.mark.parametrize(("number", "text"), [(1, "I"), (4, "IV"), (9, "IX"), (14, "XIV"), (1994, "MCMXCIV")])
def test_numbers_become_numerals(number: int, text: str) -> None:
    assert to_roman(number) == text
