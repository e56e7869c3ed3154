"""A result in plain words, Korean and English, for a caseworker to hand to the person it is about.

Made from the trace, and of nothing else: each figure in it stands in a line of the trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from schema.rules.assess import Bounds, MeansTest, Result
from schema.rules.trace import Line, trace

Language = Literal["ko", "en"]
_SHOWN = ("income evaluation", "converted assets", "recognised income", "threshold")


@dataclass(frozen=True, slots=True)
class Notice:
    """The same text in two languages."""

    ko: str
    en: str


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency's name in two languages."""

    ko: str
    en: str


def notice(test: MeansTest, agencies: Mapping[str, Agency]) -> Notice:
    """The notice of a test; `agencies` are those of the sources that would settle it."""
    lines = trace(test)
    korean = [agencies[name].ko for name in test.settled_by]
    english = [agencies[name].en for name in test.settled_by]
    return Notice(
        ko="\n".join(_sentences(test, lines, "ko", korean)),
        en="\n".join(_sentences(test, lines, "en", english)),
    )


def _sentences(
    test: MeansTest, lines: Iterable[Line], language: Language, agencies: Sequence[str]
) -> Iterator[str]:
    words, programme = _WORDS[language], test.programme
    korean = language == "ko"
    if test.hypothetical:
        yield words["hypothetical"]
    name = programme.name_ko if korean else programme.name_en
    outcome = words[test.result.value]
    day = test.day
    yield words["outcome"].format(name=name, day=day, outcome=outcome)
    yield words["assessed"].format(len(test.assessed))
    for line in lines:
        if line.step.part in _SHOWN and isinstance(line.value, tuple):
            text = line.step.ko if korean else line.step.en
            yield f"{text[:1].upper()}{text[1:]}: {_won(line.value, words)}."
    yield from _margin(test, words)
    for condition in test.conditions:
        text = condition.step.ko if korean else condition.step.en
        yield words["condition"].format(text, words[str(condition.met)])
    if test.payable is not None and programme.pays is not None and test.payable[1] is not None:
        amount = _won(test.payable, words)
        most = words["at most"] if programme.pays.at_most else ""
        yield words["amount"].format(most, words[programme.pays.per], amount)
    if test.by_bounds:
        yield words["by bounds"]
    if test.lacking:
        texts = dict.fromkeys(entry.ko if korean else entry.en for entry in test.lacking)
        yield words["lacking"].format("; ".join(texts))
    if agencies:
        yield words["settled by"].format("; ".join(agencies))
    if test.no_figures:
        yield words["no figures"].format(day.year)
    for assumption in test.assumptions:
        yield words["assumed"].format(assumption.ko if korean else assumption.en)
    if programme.not_modelled:
        in_words = test.rules.book.left_out
        left_out = (in_words[text] if korean else text for text in programme.not_modelled)
        yield words["not examined"].format("; ".join(left_out))
    basis = programme.basis or ""
    yield words["basis"].format(in_korean(basis, test.rules.book.acts) if korean else basis)


_BASIS = re.compile(r"(?P<act>[^,;]+), Articles? (?P<articles>[^;]+?)(?P<guide>;.*)?")
_ARTICLE = re.compile(r"(\d+)(?:-(\d+))?(?:\((\d+)\)(\d+)?)?")


def in_korean(basis: str, acts: Mapping[str, str]) -> str:
    """An act with its articles as Korean law cites them; as it is, where the act is not known."""
    found = _BASIS.fullmatch(basis)
    if found is None or found["act"] not in acts:
        return basis
    articles = _ARTICLE.sub(_article, found["articles"])
    first, to, last = articles.partition(" to ")
    articles = f"{first}부터 {last}까지" if to else articles.replace(" and ", ", ")
    return f"「{acts[found['act']]}」 {articles}" + (" 및 관련 지침" if found["guide"] else "")


def _article(found: re.Match[str]) -> str:
    article, branch, paragraph, item = found.groups()
    text = f"제{article}조" + (f"의{branch}" if branch else "")
    return text + (f"제{paragraph}항" if paragraph else "") + (f"제{item}호" if item else "")


def _margin(test: MeansTest, words: Mapping[str, str]) -> Iterator[str]:
    """How far recognised income is from the threshold, where that is exact."""
    low, high = test.margin or (None, None)
    if low is not None and low == high:
        yield words["above" if low < 0 else "not above"].format(abs(low))


def _won(bounds: Bounds, words: Mapping[str, str]) -> str:
    low, high = bounds
    if low is None or high is None:
        return words["unknown"] if low is None else words["from"].format(low)
    return words["won"].format(low) if low == high else words["between"].format(low, high)


_ENGLISH = {
    "hypothetical": "This is a trial calculation with values put in by hand. It decides nothing.",
    "outcome": "{name}, as of {day}: {outcome}.",
    Result.ELIGIBLE.value: "you meet the conditions",
    Result.NOT_ELIGIBLE.value: "you do not meet the conditions",
    Result.INDETERMINATE.value: "this cannot be said yet",
    "assessed": "Persons assessed: {}.",
    "above": "Your recognised income is {:,} won above the threshold.",
    "not above": "Your recognised income is not above the threshold; {:,} won are left to it.",
    "condition": "Condition: {}: {}.",
    "True": "met",
    "False": "not met",
    "None": "not known yet",
    "amount": "Amount {}{}: {}.",
    "at most": "(at most) ",
    "month": "a month",
    "year": "a year",
    "once": "once",
    "by bounds": "Some facts are not known, but the result is the same whatever they are.",
    "lacking": "Still needed: {}.",
    "settled by": "These agencies would settle it: {}.",
    "no figures": "The figures of {} for this are not known yet.",
    "assumed": "Nothing was declared of this, and it is counted as none: {}.",
    "not examined": "Not examined here: {}.",
    "basis": "Basis: {}.",
    "won": "{:,} won",
    "from": "at least {:,} won",
    "between": "between {:,} and {:,} won",
    "unknown": "not known",
}
_KOREAN = {
    "hypothetical": "임의로 입력한 값으로 계산한 모의 결과이며, 결정이 아닙니다.",
    "outcome": "{name}({day:%Y-%m-%d} 기준): {outcome}.",
    Result.ELIGIBLE.value: "선정기준을 충족합니다",
    Result.NOT_ELIGIBLE.value: "선정기준을 충족하지 않습니다",
    Result.INDETERMINATE.value: "아직 판단할 수 없습니다",
    "assessed": "조사 대상: {}명.",
    "above": "소득인정액이 선정기준액보다 {:,}원 많습니다.",
    "not above": "소득인정액이 선정기준액을 넘지 않으며, 차액은 {:,}원입니다.",
    "condition": "요건 - {}: {}.",
    "True": "충족",
    "False": "미충족",
    "None": "확인 필요",
    "amount": "지급액({}{}): {}.",
    "at most": "최대, ",
    "month": "월",
    "year": "연",
    "once": "1회",
    "by bounds": "일부 자료가 확인되지 않았으나, 그 값과 관계없이 결과는 같습니다.",
    "lacking": "확인이 필요한 자료: {}.",
    "settled by": "확인할 수 있는 기관: {}.",
    "no figures": "{}년 기준 금액이 아직 확인되지 않았습니다.",
    "assumed": "신고된 바 없어 없는 것으로 보았습니다: {}.",
    "not examined": "이 밖에 담당자가 따로 확인할 사항: {}.",
    "basis": "근거: {}.",
    "won": "{:,}원",
    "from": "{:,}원 이상",
    "between": "{:,}원 이상 {:,}원 이하",
    "unknown": "확인되지 않음",
}
_WORDS: Mapping[Language, Mapping[str, str]] = {"ko": _KOREAN, "en": _ENGLISH}
