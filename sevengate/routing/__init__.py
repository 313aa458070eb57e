"""The proxy's nouns and what they mean: table, policies, order of precedence, the reference matcher, text."""
