"""What Sevengate costs, measured: one module for each question, its last numbers in results/ and README.md.

A question's module has QUESTION, one paragraph, and `answer(scale) -> Answer`. Figures are ratios between neighbours in
one run wherever they can be, because a machine's absolute numbers say little about another one. A figure may have a
bar, which is printed beside it and never asserted: a check that fails when the machine is busy is soon ignored.
"""
