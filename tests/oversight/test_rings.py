"""Rings of reviewers, of two and of more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.oversight.rings import Reviewed, closes_ring


def reviewed(reviewer: str, user: str) -> list[Reviewed]:
    """A review that was closed, by all the pseudonyms of both."""
    return [(one, other) for one in reviewer.split("+") for other in user.split("+")]


def closes(reviewer: str, user: str, *past: list[Reviewed]) -> bool:
    pairs = [pair for pairs in past for pair in pairs]
    return closes_ring(frozenset(reviewer.split("+")), frozenset(user.split("+")), pairs)


def test_a_reviews_b_while_b_reviews_a() -> None:
    assert closes("a", "b", reviewed("b", "a"))
    assert not closes("a", "b", reviewed("a", "b"))


def test_longer_rings_are_rings_in_whatever_order_they_came_about() -> None:
    past = [reviewed("c", "a"), reviewed("b", "c")]
    assert closes("a", "b", *past)
    assert closes("a", "b", *past[::-1])
    assert not closes("d", "b", *past)


def test_two_accounts_of_one_person_and_those_acting_for_them_are_one() -> None:
    assert closes("a2+me", "b", reviewed("b", "a1+me"))
    assert closes("a", "b+deputy", reviewed("deputy", "a"))


def test_one_who_reviews_many_and_uses_nothing_is_in_no_ring() -> None:
    past = [reviewed("auditor", user) for user in "abcdef"]
    assert not closes("auditor", "a", *past)


PEOPLE = st.sampled_from("abcde")


@given(st.lists(st.tuples(PEOPLE, PEOPLE), max_size=12), PEOPLE, PEOPLE)
def test_it_is_a_way_from_the_user_to_the_reviewer(
    pairs: list[tuple[str, str]], reviewer: str, user: str
) -> None:
    reached = {user}
    for _ in pairs:
        reached |= {other for one, other in pairs if one in reached}
    assert closes(reviewer, user, pairs) == (reviewer in reached)
