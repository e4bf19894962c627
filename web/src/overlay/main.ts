import { mount } from 'svelte';
import { should_reload } from '../lib/build';
import { open_page } from '../lib/open_page';
import Overlay from './Overlay.svelte';
import './overlay.css';

// On air nothing may look like a fault: without a token the page stays empty, and a lost connection
// leaves the last picture standing until the SDK is back.
if (new URLSearchParams(location.hash.slice(1)).get('token')) {
  open_page('overlay', Overlay, {
    keep_fragment: true,
    memory_only: true,
    prepare(show) {
      show.client.on('build', ({ to }) => {
        if (should_reload(to, sessionStorage)) location.reload();
      });
    },
  });
} else {
  void import('./Hint.svelte').then(({ default: Hint }) => {
    const target = document.getElementById('app');
    // OBS shows a browser source without user interaction; a person who opens the page gets a hint.
    if (target && !('obsstudio' in window)) mount(Hint, { target });
  });
}
