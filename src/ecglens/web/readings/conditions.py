"""What each label means, its usual causes and what usually follows: for orientation, with sources, never as an order.

The words are our own; the sources are where they can be checked and read further.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["CONDITIONS", "Condition", "Source", "condition"]

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Source:
    """Where it can be read."""

    title: str
    address: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One label, for people.

    Attributes:
        what: What it is.
        causes: Its usual causes.
        follows: What usually follows.
        here: What the label means in the data that the models learned from, and what it does not say.
        sources: To read further.
    """

    what: Text
    causes: tuple[Text, ...]
    follows: tuple[Text, ...]
    here: Text
    sources: tuple[Source, ...]


_MI_DEFINITION = Source(
    "Thygesen et al., Fourth universal definition of myocardial infarction (2018)",
    "https://doi.org/10.1161/CIR.0000000000000617",
)
_ACS = Source(
    "Byrne et al., 2023 ESC Guidelines for the management of acute coronary syndromes",
    "https://doi.org/10.1093/eurheartj/ehad191",
)
_CCS = Source(
    "Vrints et al., 2024 ESC Guidelines for the management of chronic coronary syndromes",
    "https://doi.org/10.1093/eurheartj/ehae177",
)
_AF = Source(
    "Van Gelder et al., 2024 ESC Guidelines for the management of atrial fibrillation",
    "https://doi.org/10.1093/eurheartj/ehae176",
)
_VENTRICULAR = Source(
    "Zeppenfeld et al., 2022 ESC Guidelines for the management of patients with ventricular arrhythmias",
    "https://doi.org/10.1093/eurheartj/ehac262",
)
_STANDARDS = Source(
    "Kligfield et al., Recommendations for the standardization and interpretation of the electrocardiogram (2007)",
    "https://doi.org/10.1161/CIRCULATIONAHA.106.180200",
)
_DATA = Source(
    "Khan et al., ECG images dataset of cardiac patients, the pages that the labels come from",
    "https://doi.org/10.17632/gwbz3fsgp8.2",
)

CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        "normal": Condition(
            what=_(
                "A recording in which rhythm, intervals and waves lie within what is usual in healthy adults. It "
                "tells how "
                "the heart did during ten seconds."
            ),
            causes=(
                _("The usual finding in healthy people."),
                _("It is also seen between attacks of a rhythm disorder, and early or in small infarctions."),
            ),
            follows=(
                _(
                    "People with complaints are usually judged by these, by blood tests and by repeated recordings, "
                    "not by one page."
                ),
                _("Without complaints usually nothing follows."),
            ),
            here=_("The model found none of the other three groups that it knows. It does not look for anything else."),
            sources=(_STANDARDS, _ACS, _DATA),
        ),
        "mi": Condition(
            what=_(
                "Part of the heart muscle dies because too little blood reaches it. On the ECG it may show as raised "
                "or "
                "lowered ST segments, changed T waves and new Q waves, in leads that look at the same wall."
            ),
            causes=(
                _("Most often a plaque in a coronary artery that breaks open, on which a clot forms."),
                _(
                    "Less often a spasm or tear of the artery, a clot from elsewhere, or a demand that the blood "
                    "supply cannot meet."
                ),
                _("Smoking, high blood pressure, diabetes, high cholesterol and age make it more likely."),
            ),
            follows=(
                _("A suspected acute infarction is an emergency everywhere; emergency services exist for it."),
                _(
                    "Hospitals usually repeat the ECG, measure troponin in the blood, and open a closed artery as "
                    "soon as they can."
                ),
                _("Afterwards come medicines, rehabilitation and work on the risks."),
            ),
            here=_(
                "In the data, pages of patients with an infarction, without its age or place. ST segments cannot be "
                "judged well "
                "on pages filtered at 25 Hz, as those are."
            ),
            sources=(_MI_DEFINITION, _ACS, _DATA),
        ),
        "history_mi": Condition(
            what=_(
                "Marks of an infarction that was survived. The scar conducts no current, which may show as broad or "
                "deep Q waves, "
                "small R waves or lasting changes of the T wave; many old infarctions leave no mark on the ECG."
            ),
            causes=(
                _("An infarction weeks to years ago, sometimes one that nobody noticed."),
                _(
                    "Q waves also come from thick or diseased heart muscle, from conduction disorders and from "
                    "misplaced electrodes."
                ),
            ),
            follows=(
                _(
                    "An earlier ECG to compare with tells most; an ultrasound of the heart usually shows the scar "
                    "and the pump's strength."
                ),
                _(
                    "Whoever has had an infarction is usually treated so that there is no second one, and for the "
                    "heart's weakness where there is one."
                ),
            ),
            here=_("In the data, pages of patients with a history of an infarction, as their records had it."),
            sources=(_MI_DEFINITION, _CCS, _DATA),
        ),
        "abnormal_heartbeat": Condition(
            what=_(
                "A rhythm, rate or conduction that is not the usual one: early beats, fibrillation or flutter of the "
                "atria, too fast "
                "or too slow a heart, or a delayed conduction."
            ),
            causes=(
                _(
                    "Common ones: high blood pressure, coronary disease, diseased valves or heart muscle, thyroid "
                    "disorders, salts of the blood, medicines, alcohol, little sleep."
                ),
                _("Single early beats are common in healthy people."),
            ),
            follows=(
                _(
                    "What follows depends on which disorder it is, which this label does not say; a person who reads "
                    "ECGs has to name it."
                ),
                _(
                    "Often a longer recording, blood tests and an ultrasound of the heart come next; in atrial "
                    "fibrillation the risk of stroke is weighed."
                ),
                _("With fainting, chest pain or breathlessness it is usually looked at without delay."),
            ),
            here=_("In the data, one group for all such pages; the model does not tell one rhythm from another."),
            sources=(_AF, _VENTRICULAR, _DATA),
        ),
    }
)


def condition(label: str) -> Condition | None:
    """What a label means; ``None`` for labels of models that are not ours."""
    return CONDITIONS.get(label)
