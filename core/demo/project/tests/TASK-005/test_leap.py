import pytest
from pocket.leap import is_leap


@pytest.mark.parametrize(("year", "leap"), [(2024, True), (2023, False), (1900, False), (2000, True)])
def test_centuries_are_an_exception(year: int, leap: bool) -> None:
    assert is_leap(year) is leap
