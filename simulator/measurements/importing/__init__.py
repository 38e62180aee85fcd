"""From a benchmark tool's result file to rows: content, fields, what was taken from where, and what a user adds."""
