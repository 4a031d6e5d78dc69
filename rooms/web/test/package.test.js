// What would be published.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

test('the package has the client, its types, its description and its licences, and nothing else', async () => {
  const cwd = new URL('..', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json'], { cwd });
  const [{ files }] = JSON.parse(stdout);
  const expected = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json', 'rooms.d.ts', 'rooms.js'];
  assert.deepEqual(files.map(({ path }) => path).sort(), expected);
});
