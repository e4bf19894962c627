import { mount } from 'svelte';
import '../styles/tokens.css';
import '../styles/base.css';
import { theme } from '../lib/theme.svelte';
import Landing from './Landing.svelte';

theme.start();
const target = document.getElementById('app');
if (target) mount(Landing, { target });
