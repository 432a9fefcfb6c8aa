"""An article and the two answers of a good model about it."""

from typing import Any

from shared.ids import normal

TEXT = normal(
    "Coffee and sleep: a cohort of nurses. Caffeine after noon delays sleep. Naïve Bayes, 日誌 and β-glucan too."
)
CLASSIFICATION: dict[str, Any] = {
    "keywords": ["Coffee", "sleep", "caffeine"],
    "reader_group": "General public",
    "age_group": "Adults",
    "population_group": "Nurses",
    "study_type": "Observational (Cohort)",
}
QA = [{"question": f"Question {n}?", "answer": "Yes.", "grounding": "Caffeine after noon delays sleep."} for n in "abc"]
ASSESSMENT: dict[str, Any] = {
    "evaluation": {
        "user_value_score": 4,
        "actionability_score": 5,
        "verdict": ["No coffee after noon."],
        "safety_sensitivity": "Low",
        "recommended_user_framing": "An observation, no proof.",
    },
    "annotations": {
        "abstract": "People who drink coffee late sleep late.",
        "glossary": [{"term": name, "definition": "What it is.", "rationale": "Why."} for name in ("a", "b", "c")],
        "user_qa": QA,
        "expert_qa": QA,
        "practitioner_qa": QA,
    },
}
