// SPDX-License-Identifier: Apache-2.0
// Occurrences over the range, as bars.

export function Spark({ series, label, width = 90, height = 20 }: { series: number[]; label: string; width?: number; height?: number }) {
  const top = Math.max(...series, 1);
  const step = width / Math.max(series.length, 1);
  return (
    <svg class="error-spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label} preserveAspectRatio="none">
      {series.map((n, i) => n > 0 && <rect key={i} x={i * step + 0.5} width={Math.max(step - 1, 1)} y={height - Math.max(1.5, (n / top) * height)} height={Math.max(1.5, (n / top) * height)} />)}
      <line x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} />
    </svg>
  );
}
