"""Rings of reviewers, of two and of more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.oversight.rings import Reviewed, closes_ring


def reviewed(reviewer: str, user: str) -> Reviewed:
    return Reviewed(frozenset(reviewer.split("+")), frozenset(user.split("+")))


def test_a_reviews_b_while_b_reviews_a() -> None:
    assert closes_ring(reviewed("a", "b"), [reviewed("b", "a")])
    assert not closes_ring(reviewed("a", "b"), [reviewed("a", "b")])


def test_longer_rings_are_rings_in_whatever_order_they_came_about() -> None:
    past = [reviewed("c", "a"), reviewed("b", "c")]
    assert closes_ring(reviewed("a", "b"), past)
    assert closes_ring(reviewed("a", "b"), past[::-1])
    assert not closes_ring(reviewed("d", "b"), past)


def test_two_accounts_of_one_person_and_those_acting_for_them_are_one() -> None:
    assert closes_ring(reviewed("a2+me", "b"), [reviewed("b", "a1+me")])
    assert closes_ring(reviewed("a", "b+deputy"), [reviewed("deputy", "a")])


def test_one_who_reviews_many_and_uses_nothing_is_in_no_ring() -> None:
    past = [reviewed("auditor", user) for user in "abcdef"]
    assert not closes_ring(reviewed("auditor", "a"), past)


PEOPLE = st.sampled_from("abcde")


@given(st.lists(st.tuples(PEOPLE, PEOPLE), max_size=12), PEOPLE, PEOPLE)
def test_it_is_a_way_from_the_user_to_the_reviewer(
    pairs: list[tuple[str, str]], reviewer: str, user: str
) -> None:
    reached = {user}
    for _ in pairs:
        reached |= {other for one, other in pairs if one in reached}
    past = [reviewed(*pair) for pair in pairs]
    assert closes_ring(reviewed(reviewer, user), past) == (reviewer in reached)
