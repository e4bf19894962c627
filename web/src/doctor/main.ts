import { mount } from 'svelte';
import '../styles/tokens.css';
import '../styles/base.css';
import { type Address, page_shelf, read_address } from '../lib/address';
import { theme } from '../lib/theme.svelte';
import NoToken from '../ui/NoToken.svelte';
import Doctor from './Doctor.svelte';
import { browserProbes } from './checks';

theme.start();
const target = document.getElementById('app');
// Without a link of its own: that of the page from which it was opened.
const kPages = ['doctor', 'stage', 'audience', 'console'];
const shelf = page_shelf();
const address = kPages.reduce<Address | null>(
  (found, page) => found ?? read_address(page, page === 'doctor' ? location.hash : '', shelf),
  null,
);
if (location.hash) history.replaceState(null, '', location.pathname + location.search);
window.addEventListener('hashchange', () => {
  if (location.hash.includes('token=')) location.reload();
});
if (target && address) mount(Doctor, { target, props: { probes: browserProbes(address) } });
else if (target) mount(NoToken, { target, props: { page: 'doctor' } });
