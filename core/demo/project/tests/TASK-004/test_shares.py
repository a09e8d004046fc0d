from pocket.shares import shares


def test_no_cent_is_lost() -> None:
    assert sum(shares(100, 3)) == 100


def test_shares_differ_by_one_cent_at_most() -> None:
    assert shares(101, 3) == [34, 34, 33]
