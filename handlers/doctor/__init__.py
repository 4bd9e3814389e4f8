"""The doctor: looks at a running installation from outside and says what is wrong, with numbers and the next step.

One small module for each kind of check: `configuration`, `store`, `clocks`, `drift`, `permissions`, `topics`,
`service`, `channels`. `examination` runs them side by side, each with a time limit of its own. The doctor writes
nothing, anywhere (docs/decisions/0013-deployment.md).
"""
