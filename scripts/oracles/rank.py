#!/usr/bin/env python3
"""Writes src/stats/oracle.json: what scipy and arch say of fixed data, for the tests in src/stats.

    python3 -m venv venv && venv/bin/pip install scipy arch
    venv/bin/python scripts/oracles/rank.py > src/stats/oracle.json

p without ties: scipy.stats.mannwhitneyu and wilcoxon, method "exact". With ties and zeros: scipy.stats.permutation_test over
every deal or every choice of signs, of mid-ranks (zeros keep theirs and tell for neither side), two-sided as twice the smaller
side. Intervals: the shifts those p-values do not reject, gap by gap between the crossings. Block lengths: arch.bootstrap.
optimal_block_length, circular. Trends: scipy.stats.kendalltau with time, method "exact"; with ties permutation_test over every
order of rising less falling pairs, two-sided as twice the smaller side. New cases come last: those before them stay as they are.
"""

import json
import sys

import arch
import numpy as np
import scipy
from arch.bootstrap import optimal_block_length
from scipy.stats import kendalltau, mannwhitneyu, permutation_test, rankdata, wilcoxon

rng = np.random.default_rng(20261124)


def unpaired_p(base, new):
    ties = len(set(base) | set(new)) < len(base) + len(new)
    if not ties:
        return [mannwhitneyu(new, base, alternative=a, method="exact").pvalue for a in ("two-sided", "greater", "less")]

    def statistic(x, y):
        return rankdata(np.concatenate([x, y]))[: len(x)].sum()

    one = [
        permutation_test((new, base), statistic, alternative=a, permutation_type="independent", n_resamples=np.inf).pvalue
        for a in ("greater", "less")
    ]
    return [min(1.0, 2 * min(one)), *one]


def signed(differences):
    return float((np.sign(differences) * rankdata(np.abs(differences))).sum())


def paired_p(base, new):
    d = np.asarray(new) - np.asarray(base)
    if len(set(np.abs(d))) == len(d) and 0 not in d:
        return [wilcoxon(d, alternative=a, method="exact").pvalue for a in ("two-sided", "greater", "less")]
    one = [
        permutation_test((d,), signed, alternative=a, permutation_type="samples", n_resamples=np.inf).pvalue
        for a in ("greater", "less")
    ]
    return [min(1.0, 2 * min(one)), *one]


def interval(crossings, p, level):
    edges = sorted(set(crossings))
    gaps = [edges[0] - 1.0, *((a + b) / 2 for a, b in zip(edges, edges[1:])), edges[-1] + 1.0]
    kept = [i for i, gap in enumerate(gaps) if p(gap) > level]
    low = None if kept[0] == 0 else edges[kept[0] - 1]
    high = None if kept[-1] == len(edges) else edges[kept[-1]]
    return [low, high]


def shape(base, new, paired):
    base, new = np.asarray(base, float), np.asarray(new, float)
    if paired:
        d = new - base
        crossings = [(d[i] + d[j]) / 2 for i in range(len(d)) for j in range(i, len(d))]
        p = lambda shift: paired_p(base, new - shift)[0]
    else:
        crossings = [y - x for y in new for x in base]
        p = lambda shift: unpaired_p(base, new - shift)[0]
    return float(np.median(crossings)), interval(crossings, p, 0.05)


def case(base, new, paired, with_interval):
    base, new = [float(x) for x in base], [float(x) for x in new]
    two, above, below = (paired_p if paired else unpaired_p)(base, new)
    made = {"paired": paired, "base": base, "new": new, "two_sided": two, "above": above, "below": below}
    if with_interval:
        made["estimate"], made["interval_95"] = shape(base, new, paired)
    return made


def cases():
    for n, m, shift in [(3, 3, 5), (4, 4, 20), (5, 5, 8), (8, 8, 6), (8, 5, 4), (10, 10, 3), (12, 7, 0)]:
        # Powers of two apart, so that no difference and no average comes twice and all are exact.
        values = rng.choice(4096, n + m, replace=False)
        base, new = values[:n] / 64, values[n:] / 64 + shift
        yield case(base, new, False, True)
    for n, shift in [(4, 5), (6, 30), (8, 12), (10, 8), (12, 0)]:
        values = rng.choice(4096, 2 * n, replace=False)
        yield case(values[:n] / 64, values[n:] / 64 + shift, True, True)
    for n, m in [(4, 4), (5, 6), (7, 7)]:
        yield case(rng.integers(0, 6, n), rng.integers(1, 7, m), False, False)
    for n in [5, 8, 10]:
        yield case(rng.integers(0, 6, n), rng.integers(1, 7, n), True, False)


def blocks():
    for count, correlation in [(60, 0.3), (300, 0.0), (300, 0.6), (600, 0.9)]:
        level, series = 0.0, []
        for noise in rng.standard_normal(count):
            level = correlation * level + noise
            series.append(round(level, 4))
        yield {"series": series, "block": float(optimal_block_length(np.array(series))["circular"].iloc[0])}


def rising_less_falling(series):
    series = np.asarray(series)
    return float(sum(np.sign(series[i + 1 :] - series[i]).sum() for i in range(len(series))))


def trend(series):
    series = [float(x) for x in series]
    n = len(series)
    if len(set(series)) == n:
        p = kendalltau(range(n), series, method="exact").pvalue
    else:
        p = permutation_test((series,), rising_less_falling, permutation_type="pairings", n_resamples=np.inf).pvalue
    return {"series": series, "two_sided": float(p), "tau": 2 * rising_less_falling(series) / (n * (n - 1))}


def trends():
    # The p99 of Prosody's runs in results/versus-chatty-stress of 28 November 2026, in the order they were made.
    yield trend([10.3, 16.0, 14.3, 21.8, 27.1, 30.8, 50.5, 27.6])
    # Slopes no few steps of which are a whole number of 64ths, so that no value comes twice.
    for n, slope in [(4, 8), (5, 0), (6, 40), (8, -6), (12, 3), (20, 1), (40, 0.5), (100, 0.125)]:
        yield trend(rng.choice(4096, n, replace=False) / 64 + (slope + 0.0003) * np.arange(n))
    for n in [5, 7, 8]:
        yield trend(rng.integers(0, 4, n) + np.arange(n) // 2)
    yield trend([0, 0, 0, 0, 0.5, 0, 0, 1])


made = {
    "origin": f"scripts/oracles/rank.py with scipy {scipy.__version__}, numpy {np.__version__}, arch {arch.__version__}",
    "ranks": list(cases()),
    "blocks": list(blocks()),
    "trends": list(trends()),
}
json.dump(made, sys.stdout)
print()
