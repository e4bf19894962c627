import { open_page } from '../lib/open_page';
import Console from './Console.svelte';

open_page('console', Console);
