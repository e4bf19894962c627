/** The page: drop an export, see what holds. Nothing leaves the browser. */
import { reportLines, type Report } from './report.ts';
import { Verifier, type Options } from './verifier.ts';

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

function optionsFromForm(): Options {
  const asked = words(element<HTMLTextAreaElement>('asked').value);
  const chains = asked
    .map((word) => /^(?:([0-9]{1,15}):)?([0-9a-fA-F]{64})$/.exec(word))
    .filter((found) => found !== null)
    .map((found) =>
      found[1] ? { chain: found[2]!, seq: Number(found[1]) } : { chain: found[2]! },
    );
  return { receipts: asked.filter((word) => /^[0-9a-fA-F]{32}$/.test(word)), chains };
}

async function check(file: File): Promise<void> {
  const status = element('status');
  const verifier = new Verifier(optionsFromForm());
  const reader = file.stream().getReader();
  let read = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    verifier.push(value);
    read += value.length;
    status.textContent = `${file.name}: ${Math.floor((100 * read) / Math.max(file.size, 1))} %`;
    await new Promise((resolve) => setTimeout(resolve)); // lets the page paint
  }
  show(file.name, verifier.finish());
}

function show(name: string, report: Report): void {
  const status = element('status');
  status.className = report.failed > 0 ? 'bad' : 'good';
  status.textContent =
    report.failed > 0
      ? `${name}: ${report.failed} of ${report.passed + report.failed} checks FAILED`
      : `${name}: all ${report.passed} checks hold`;
  const list = element('lines');
  list.replaceChildren(
    ...reportLines(report).map((line) => {
      const item = document.createElement('li');
      item.textContent = line;
      if (line.startsWith('FAILED')) item.className = 'bad';
      return item;
    }),
  );
}

const input = element<HTMLInputElement>('file');
let chosen: File | null = null;
const again = () => {
  if (chosen) {
    check(chosen).catch((error: unknown) => {
      element('status').className = 'bad';
      element('status').textContent = `The file cannot be read: ${String(error)}`;
    });
  }
};
input.addEventListener('change', () => {
  chosen = input.files?.[0] ?? null;
  again();
});
element('again').addEventListener('click', again);
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  chosen = event.dataTransfer?.files[0] ?? null;
  again();
});
