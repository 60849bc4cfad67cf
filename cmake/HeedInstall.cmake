# filled in by the packaging change
