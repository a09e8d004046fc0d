"""Money in cents, divided fairly."""


def shares(cents: int, people: int) -> list[int]:
    """`cents` divided among `people`: nothing is lost, and no two shares differ by more than one cent."""
    return [cents // people] * people
