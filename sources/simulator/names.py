"""Names of people and of employers, by number. Shares of surnames: 2015 census (K)."""

import numpy as np

from sources.simulator.draw import Ints

# Surname and its share in ten thousand.
_SURNAMES = (
    "김 2150 이 1470 박 840 최 470 정 430 강 240 조 210 윤 205 장 200 임 165 한 155 오 153 서 151 "
    "신 149 권 142 황 140 안 137 송 137 전 112 홍 112 유 130 고 95 문 93 양 92 손 91 배 81 백 76 "
    "허 65 남 55 심 54 노 51 하 46 곽 41 성 40 차 39 주 39 우 39 구 39 라 33 민 34 진 36 지 31 "
    "엄 29 채 26 원 26 천 24 방 19 공 18 현 18 함 16 변 17 염 14 여 13 추 12 도 11 소 11 석 10 "
    "선 9 설 9 마 8 길 8 연 7 위 7 표 6 명 6 기 6 반 6 왕 5 금 5 옥 5 육 5 인 5 맹 4 제 4 모 4 "
    "남궁 4 황보 2 제갈 2 선우 1 독고 1"
).split()
SURNAMES = tuple(_SURNAMES[::2])
SURNAME_SHARES = tuple(int(share) for share in _SURNAMES[1::2])

# Syllables by sex and generation: the first and the second of the given name.
_GIVEN = (
    (
        "영 정 종 성 상 병 재 기 동 광 용 명 창 춘 태 인 승 경 진 남",
        "수 호 식 철 남 환 섭 근 길 규 배 만 석 일 복 진 구 열 헌 관",
    ),
    (
        "영 정 순 옥 명 경 미 춘 복 금 분 말 은 선 현 혜 인 연 성 희",
        "자 숙 순 희 옥 례 임 남 분 심 애 란 미 화 선 덕 녀 경 연 실",
    ),
    (
        "민 지 서 준 도 하 시 현 우 재 성 승 동 건 태 은 유 예 주 진",
        "준 우 호 민 훈 현 윤 혁 빈 환 석 원 후 규 찬 율 재 수 영 겸",
    ),
    (
        "서 지 민 하 수 예 유 은 다 채 가 소 나 윤 혜 현 시 연 주 보",
        "연 윤 은 아 현 진 빈 민 영 원 린 서 희 나 율 경 인 지 정 솔",
    ),
)
GIVEN = tuple(
    tuple(one + two for one in first.split() for two in second.split()) for first, second in _GIVEN
)
GIVEN_EACH = len(GIVEN[0])

NATIONALITIES = ("KOR", "VNM", "CHN", "THA", "PHL", "USA")
_FOREIGN = (
    (),
    ("응우옌 티 란", "쩐 티 흐엉", "레 반 남", "팜 티 마이", "호앙 민 뚜언", "부이 티 투"),
    ("왕 리", "장 웨이", "리 나", "류 양", "천 징", "자오 쉐"),
    ("솜차이 시리", "수다 짠타라", "아논 분마", "말리 통차이", "니란 팟타나", "쁘라니 사엥"),
    (
        "산토스 마리아",
        "레예스 호세",
        "크루즈 아나",
        "가르시아 로사",
        "바우티스타 조이",
        "라모스 마크",
    ),
    ("스미스 존", "존슨 에밀리", "브라운 데이비드", "밀러 사라", "윌슨 제임스", "테일러 앤"),
)

OCCUPATIONS = (
    "사무원 판매원 조리사 간호조무사 요양보호사 생산직 배송기사 청소원 경비원 개발자 회계원 "
    "상담원 보육교사 전기기사 용접원 영업원 물류관리원 디자이너 건설기능공 서비스원"
).split()
SECTORS = (
    "음식점업 소매업 도매업 운수업 건설업 제조업 미용업 교육서비스업 부동산임대업 "
    "숙박업 전자상거래업 농산물판매업"
).split()
_FIRM_HEADS = (
    "한빛 새봄 대광 동해 서진 남강 백두 가온 누리 다온 미래 신우 우성 태양 정원 삼보 "
    "청솔 하늘 금강 은하 성지 유진 세원 보람"
).split()
_FIRM_TAILS = (
    "전자 식품 물산 유통 건설 정밀 기업 산업 서비스 물류 시스템 섬유 테크 상사 푸드 케어 "
    "교통 환경 패션 에너지"
).split()
_SHOP_TAILS = "식당 상회 마트 카페 공방 운수 인테리어 미용실 학원 농장".split()


def given_list(sex: Ints, birth_year: Ints) -> Ints:
    """Which list of given names fits a sex (1, 2) and a year of birth."""
    return np.where(birth_year < 1975, 0, 2) + sex - 1


def person_name(surname: int, given: int, nationality: int) -> str:
    """The registered name, surname first; `given` numbers all lists one after another."""
    if nationality:
        return _FOREIGN[nationality][given % 6]
    return SURNAMES[surname] + GIVEN[given // GIVEN_EACH][given % GIVEN_EACH]


def employer_name(number: int) -> str:
    """The name of an employer by its number."""
    head, rest = _FIRM_HEADS[number % 24], number // 24
    name = head + _FIRM_TAILS[rest % 20]
    form = rest // 20 % 4
    if form == 3:
        return name
    return f"주식회사 {name}" if form == 2 else f"(주){name}"


def shop_name(number: int) -> str:
    """The name of a person's own business by its number."""
    return _FIRM_HEADS[number % 24] + _SHOP_TAILS[number // 24 % 10]


def business_number(number: int) -> str:
    """A business registration number in form only: office codes below 100 are nobody's (K)."""
    return f"{number // 10_000_000:03}-{number // 100_000 % 100:02}-{number % 100_000:05}"


def employer_business_number(number: int) -> str:
    """The registration number of an employer, apart from those of people's own businesses."""
    return business_number(50_000_000 + number)


def workplace_number(number: int) -> str:
    """The eleven digits of an employer's workplace."""
    return f"9{number % 10_000_000_000:010}"
