"""Populations: questions of policy teams, and the review of whole caseloads."""
