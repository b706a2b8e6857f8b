"""Meaning of each label, its common causes and the usual next steps: for orientation, with sources, never as advice.

The texts are our own; the sources are given to check them and to read further.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["CONDITIONS", "Condition", "Source", "find_condition"]

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Source:
    """A publication."""

    title: str
    address: str


@dataclass(frozen=True, slots=True)
class Condition:
    """Information about one label, for people.

    Attributes:
        description: What the condition is.
        causes: Its common causes.
        next_steps: What usually follows.
        label_meaning: What the label means in the data that the models were trained on, and what it does not say.
        sources: Publications to read further.
    """

    description: Text
    causes: tuple[Text, ...]
    next_steps: tuple[Text, ...]
    label_meaning: Text
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
            description=_(
                "A recording in which rhythm, intervals and waves are within what is common in healthy adults. It "
                "shows how the heart worked during ten seconds."
            ),
            causes=(
                _("The usual finding in healthy people."),
                _("It also occurs between attacks of a rhythm disorder, and early or in small infarctions."),
            ),
            next_steps=(
                _(
                    "People with symptoms are usually judged by these, by blood tests and by repeated recordings, not "
                    "by one page."
                ),
                _("Without symptoms usually nothing follows."),
            ),
            label_meaning=_(
                "The model recognized none of the other three groups that it knows. It does not look for anything else."
            ),
            sources=(_STANDARDS, _ACS, _DATA),
        ),
        "mi": Condition(
            description=_(
                "Part of the heart muscle dies because too little blood reaches it. On the ECG it may show as elevated "
                "or depressed ST segments, changed T waves and new Q waves, in leads that face the same wall."
            ),
            causes=(
                _("Most often a plaque in a coronary artery that ruptures, on which a clot forms."),
                _(
                    "Less often a spasm or tear of the artery, a clot from elsewhere, or a demand that the blood "
                    "supply cannot meet."
                ),
                _("Smoking, high blood pressure, diabetes, high cholesterol and age make it more likely."),
            ),
            next_steps=(
                _("A suspected acute infarction is an emergency everywhere; emergency services exist for it."),
                _(
                    "Hospitals usually repeat the ECG, measure troponin in the blood, and open an occluded artery as "
                    "soon as they can."
                ),
                _("Medication, rehabilitation and reducing the risk factors come afterwards."),
            ),
            label_meaning=_(
                "In the data, pages of patients with an infarction, without its age or location. ST segments cannot be "
                "judged well on pages filtered at 25 Hz, as those are."
            ),
            sources=(_MI_DEFINITION, _ACS, _DATA),
        ),
        "history_mi": Condition(
            description=_(
                "Signs of an earlier infarction. The scar conducts no current, which may show as broad or deep Q "
                "waves, small R waves or lasting changes of the T wave; many old infarctions leave no sign on the ECG."
            ),
            causes=(
                _("An infarction weeks to years ago, sometimes one that nobody noticed."),
                _(
                    "Q waves are also caused by thickened or diseased heart muscle, by conduction disorders and by "
                    "misplaced electrodes."
                ),
            ),
            next_steps=(
                _(
                    "Comparing with an earlier ECG helps most; an ultrasound of the heart usually shows the scar and "
                    "how well the heart pumps."
                ),
                _(
                    "After an infarction, patients are usually treated to prevent a second one, and for heart failure "
                    "if there is any."
                ),
            ),
            label_meaning=_("In the data, pages of patients with an infarction in their medical history."),
            sources=(_MI_DEFINITION, _CCS, _DATA),
        ),
        "abnormal_heartbeat": Condition(
            description=_(
                "A rhythm, rate or conduction that differs from the normal one: premature beats, atrial fibrillation "
                "or flutter, a heart that is too fast or too slow, or a delayed conduction."
            ),
            causes=(
                _(
                    "Common ones: high blood pressure, coronary disease, diseased valves or heart muscle, thyroid "
                    "disorders, electrolytes, medication, alcohol, lack of sleep."
                ),
                _("Single premature beats are common in healthy people."),
            ),
            next_steps=(
                _(
                    "What follows depends on the disorder, which this label does not specify; a person who reads ECGs "
                    "has to name it."
                ),
                _(
                    "Often a longer recording, blood tests and an ultrasound of the heart come next; in atrial "
                    "fibrillation the risk of stroke is assessed."
                ),
                _("With fainting, chest pain or shortness of breath it is usually examined without delay."),
            ),
            label_meaning=_(
                "In the data, one group for all such pages; the model does not distinguish one rhythm from another."
            ),
            sources=(_AF, _VENTRICULAR, _DATA),
        ),
    }
)


def find_condition(label: str) -> Condition | None:
    """Return information about a label; ``None`` for labels of other models than ours."""
    return CONDITIONS.get(label)
