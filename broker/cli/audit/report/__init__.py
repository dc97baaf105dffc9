"""The monthly report: its words, its tables and its chart, each made from `broker.audit.statistics.Month`."""
