"""Statements by published criteria: measurements in, one statement for each criterion of ``criteria.toml`` out."""

from ecglens.criteria.evaluate import evaluate_criteria
from ecglens.statements import ComparedFigure, Outcome, Source, Statement

__all__ = ["ComparedFigure", "Outcome", "Source", "Statement", "evaluate_criteria"]
