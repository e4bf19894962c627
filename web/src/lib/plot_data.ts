import type { SloPoint } from './show.svelte';

type Column = (number | null)[];

/** Columns of a latency plot: time (s), p99, p50, budget (ms). A second without samples is a gap. */
export function plot_data(
  points: readonly SloPoint[],
  name: string,
  budget_ms: number,
): [number[], Column, Column, Column] {
  return [
    points.map((point) => point.at_s),
    points.map((point) => point.p99[name] ?? null),
    points.map((point) => point.p50[name] ?? null),
    points.map(() => budget_ms),
  ];
}
