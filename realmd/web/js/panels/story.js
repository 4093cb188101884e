/** An event of the realm → the sentence that the log shows, and the filter that it falls under. */
import { known, t } from '../strings.js';

/** @typedef {'talk' | 'doors' | 'work'} Sort */

/** @type {Record<string, Sort>} */
const SORTS = { chat: 'talk', emote: 'talk', join: 'doors', leave: 'doors', profile: 'doors', board: 'talk' };

/** @param {import('../state.js').Happening} event @returns {Sort} */
export function sortOf(event) {
  return SORTS[event.worldType] ?? 'work';
}

/** @param {import('../state.js').Happening} event @param {import('../state.js').State} state @returns {string | null} null: not worth a line */
export function tell(event, state) {
  const station = (/** @type {string} */ id) => state.stations.get(id)?.name ?? id;
  switch (event.worldType) {
    case 'chat':
      return event.text;
    case 'emote':
      return t('say.emote', { emote: t(`emote.${event.emote}`) });
    case 'leave':
      return t(known(`say.leave.${event.reason}`) ? `say.leave.${event.reason}` : 'say.leave');
    case 'work': {
      const note = event.note ? `: ${event.note}` : '';
      return t(`say.${event.phase}`, { station: station(event.workstationId), note });
    }
    case 'arrived':
      if (event.workstationId) return t('say.arrived.station', { station: station(event.workstationId) });
      if (event.targetAgentId) return t('say.arrived.agent', { who: state.nameOf(event.targetAgentId) });
      return t('say.arrived');
    case 'blocked':
      return t('say.blocked', { reason: String(event.reason).replaceAll('_', ' ') });
    case 'board':
      return t('say.board', { title: event.title });
    case 'catalogue':
      return t(`say.${event.phase}`, { plugin: event.plugin?.name ?? event.skillId });
    default:
      return known(`say.${event.worldType}`) ? t(`say.${event.worldType}`) : null;
  }
}

/** What an agent does now, in words. @param {import('../state.js').Agent} agent @param {import('../state.js').State} state */
export function doing(agent, state) {
  if (agent.dozing) return t('dozing');
  if (agent.place.speed > 0.15 || agent.action === 'walk') return t('action.walk');
  const station = state.stationOf(agent.id);
  if (station) return t(station.workingSince ? 'action.work' : 'action.at', { station: station.name });
  return t(`action.${agent.action}`);
}
