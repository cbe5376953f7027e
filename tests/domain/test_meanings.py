from __future__ import annotations

import pytest

from cds_service.domain.meanings import Coding, meaning_of
from cds_service.domain.patient import NotUsed
from cds_service.domain.vital_codes import MDC, REFERENCE_IDS, VITAL_CODES


@pytest.mark.parametrize(
    ("code", "label"),
    [
        pytest.param("150021", "MDC_PRESS_BLD_ART_SYS", id="cuff pressure labelled arterial"),
        pytest.param("150017", "MDC_PRESS_BLD_NONINV_SYS", id="site-less pressure labelled cuff"),
        pytest.param("150456", "MDC_PULS_OXIM_PULS_RATE", id="saturation labelled pulse"),
    ],
)
def test_a_device_code_beside_another_codes_reference_identifier_is_not_trusted(code: str, label: str) -> None:
    meaning = meaning_of([Coding((MDC, code), label)])

    assert meaning.clash is not None
    assert meaning.clash.reason is NotUsed.CODE_CONFLICT


@pytest.mark.parametrize("code", sorted(REFERENCE_IDS))
def test_a_device_code_beside_its_own_reference_identifier_is_trusted(code: str) -> None:
    for label in REFERENCE_IDS[code]:
        meaning = meaning_of([Coding((MDC, code), label)])

        assert meaning.vital == VITAL_CODES[MDC, code]
        assert meaning.clash is None
