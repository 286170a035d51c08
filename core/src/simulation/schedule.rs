//! What one schedule is like: drawn from the seed before anything happens, so that some schedules know only one kind of
//! trouble and reach deep into it, and others know all of it.

use std::time::Duration;

use crate::model::TaintMode;

use super::random::Random;
use super::tainting::MODES;

/// How often things happen, per thousand chances.
pub(super) struct Rates {
    pub(super) unreachable: u32,
    pub(super) answer_lost: u32,
    pub(super) refused: u32,
    pub(super) twice: u32,
    pub(super) crash_before: u32,
    pub(super) crash_after: u32,
    pub(super) late: u32,
    pub(super) provider_fails: u32,
    pub(super) no_finish_reason: u32,
    pub(super) tool_fails: u32,
    pub(super) bad_call: u32,
    pub(super) told_at_once: u32,
    pub(super) known_dead: u32,
    /// Runs that others can drive.
    pub(super) planned: u32,
    /// Those of them that begin as nobody's.
    pub(super) unowned: u32,
    /// Processes that offer tools.
    pub(super) offering: u32,
    /// Everything sleeps, or the clock is set, between a look at the clocks and the claim that follows.
    pub(super) in_between: u32,
}

/// How many calls there are among the parts of answers in schedules about tools, per thousand.
const ABOUT_TOOLS: u32 = 900;

/// How likely each kind of event is against the others.
pub(super) struct Weights {
    pub(super) begin: u32,
    pub(super) drive: u32,
    /// What a turn is told from outside.
    pub(super) control: u32,
    /// That a tool comes back, or the store says what a call has come to.
    pub(super) tool: u32,
    pub(super) pack: u32,
    pub(super) timer: u32,
    pub(super) queue: u32,
    pub(super) stop: u32,
    pub(super) disconnect: u32,
    pub(super) shutdown: u32,
    pub(super) deadline: u32,
    pub(super) claim: u32,
    pub(super) crash: u32,
    pub(super) freeze: u32,
    pub(super) wake: u32,
    pub(super) renew: u32,
    pub(super) hear: u32,
    pub(super) sweep: u32,
    pub(super) late_write: u32,
    pub(super) advance: u32,
    pub(super) trim: u32,
    pub(super) read: u32,
    pub(super) sleep: u32,
    pub(super) step: u32,
    pub(super) outage: u32,
    pub(super) answer: u32,
    pub(super) steer: u32,
    pub(super) unsteer: u32,
}

pub(super) struct Plan {
    /// How long a store that is out of reach is asked again.
    pub(super) patience: Duration,
    pub(super) step_limit: Option<Duration>,
    pub(super) run_limit: Option<Duration>,
    pub(super) chats: usize,
    pub(super) processes: usize,
    pub(super) turns: usize,
    pub(super) max_steps: u32,
    /// How many events there are before everything is brought to its end.
    pub(super) events: usize,
    pub(super) readers: usize,
    /// Parts of an answer at most.
    pub(super) parts: usize,
    pub(super) calls: u32,
    /// Calls that wait for somebody, among all calls.
    pub(super) asks: u32,
    /// How often a step that broke off is asked for again, and how many models there are besides.
    pub(super) retries: u32,
    pub(super) fallbacks: usize,
    /// Some tools bring content from outside, and this becomes of what is called after it.
    pub(super) taint: Option<TaintMode>,
    /// Among all calls, those that only read what is from outside.
    pub(super) fetches: u32,
    pub(super) rates: Rates,
    pub(super) weights: Weights,
}

impl Plan {
    /// The same with messages that join runs, in one schedule of three. They are drawn apart, so that all others are what they
    /// would be without.
    pub(super) fn with_messages(mut self, seed: u64) -> Self {
        let mut apart = Random::new(seed ^ 0x7374_6565_7269_6e67);
        if apart.below(3) == 0 {
            self.weights.steer = apart.pick(&[20, 60, 100, 300]);
            self.weights.unsteer = apart.pick(&[0, 5, 20, 60]);
            if apart.below(2) == 0 {
                // An end that arrives late may meet a run that went on.
                (self.rates.late, self.rates.unreachable) = (900, 150);
                self.weights.late_write = 200;
            }
        }
        self
    }

    /// The same with content from outside, in one schedule of four: with more calls and steps than others have, and half of the
    /// time with owners who die between a read and its step. Drawn apart, too.
    pub(super) fn with_taint(mut self, apart: &mut Random) -> Self {
        // Those about messages, and about tools, are few, and made for what is rare among them.
        let is_made_for_others = self.weights.steer > 0 || self.calls == ABOUT_TOOLS;
        if apart.below(if is_made_for_others { 30 } else { 4 }) != 0 {
            return self;
        }
        self.taint = Some(apart.pick(&MODES));
        self.calls = apart.pick(&[400, 800]);
        (self.turns, self.events) = (self.turns.max(2), self.events.max(160));
        self.max_steps = 3 + apart.below(4) as u32;
        (self.weights.stop, self.weights.disconnect, self.weights.timer) = (0, 0, 0);
        (self.weights.tool, self.weights.answer) = (60, self.weights.answer.max(100));
        self.rates.planned = apart.pick(&[300, 1000, 1000]);
        (self.rates.bad_call, self.rates.provider_fails) = (self.rates.bad_call / 4, self.rates.provider_fails / 4);
        if apart.below(2) == 0 {
            (self.rates.planned, self.rates.offering, self.rates.known_dead) = (1000, 1000, 1000);
            (self.rates.crash_before, self.rates.crash_after) = (apart.pick(&[30, 80]), 0);
            (self.weights.pack, self.weights.claim, self.weights.sleep, self.weights.outage) = (1000, 300, 0, 0);
            (self.weights.tool, self.fetches) = (20, apart.pick(&[0, 0, 600]));
            (self.weights.crash, self.step_limit, self.run_limit) = (apart.pick(&[0, 5]), None, None);
        }
        self
    }

    pub(super) fn draw(random: &mut Random) -> Self {
        let mut rate = |choices: [u32; 6]| random.pick(&choices);
        let rates = Rates {
            unreachable: rate([0, 0, 0, 50, 150, 400]),
            answer_lost: rate([0, 0, 0, 50, 150, 400]),
            refused: rate([0, 0, 0, 0, 30, 150]),
            twice: rate([0, 0, 0, 50, 150, 400]),
            crash_before: rate([0, 0, 0, 0, 30, 120]),
            crash_after: rate([0, 0, 0, 0, 30, 120]),
            late: rate([0, 0, 200, 300, 500, 900]),
            provider_fails: rate([0, 0, 0, 60, 150, 400]),
            no_finish_reason: rate([0, 0, 0, 30, 60, 200]),
            tool_fails: rate([0, 0, 100, 200, 300, 500]),
            bad_call: rate([0, 0, 50, 100, 200, 400]),
            told_at_once: rate([0, 300, 500, 500, 800, 1000]),
            known_dead: rate([0, 0, 300, 500, 800, 1000]),
            planned: rate([0, 0, 300, 500, 500, 1000]),
            unowned: rate([0, 0, 200, 300, 500, 1000]),
            offering: rate([0, 500, 800, 1000, 1000, 1000]),
            in_between: rate([0, 0, 0, 0, 20, 60]),
        };
        let weights = Weights {
            begin: rate([20, 40, 60, 80, 100, 200]),
            drive: 1000,
            control: rate([5, 20, 60, 60, 60, 200]),
            tool: rate([2, 5, 20, 60, 60, 200]),
            pack: rate([0, 50, 100, 200, 400, 1000]),
            timer: rate([0, 0, 2, 5, 20, 60]),
            queue: rate([20, 50, 50, 100, 100, 200]),
            stop: rate([0, 0, 0, 5, 15, 40]),
            disconnect: rate([0, 0, 0, 0, 10, 30]),
            shutdown: rate([0, 0, 0, 10, 30, 80]),
            deadline: rate([20, 50, 100, 200, 400, 1000]),
            claim: rate([10, 20, 40, 80, 150, 300]),
            crash: rate([0, 0, 0, 5, 10, 30]),
            freeze: rate([0, 0, 0, 5, 10, 30]),
            wake: rate([5, 10, 20, 20, 40, 100]),
            renew: rate([0, 10, 20, 40, 60, 100]),
            hear: rate([0, 10, 20, 40, 60, 100]),
            sweep: rate([5, 10, 20, 30, 60, 100]),
            late_write: rate([5, 10, 20, 40, 80, 200]),
            advance: rate([0, 5, 10, 20, 30, 60]),
            trim: rate([0, 0, 0, 5, 10, 30]),
            read: rate([50, 100, 200, 300, 500, 900]),
            sleep: rate([0, 0, 0, 5, 10, 30]),
            step: rate([0, 0, 0, 5, 10, 30]),
            outage: rate([0, 0, 0, 5, 10, 30]),
            answer: rate([20, 60, 100, 200, 300, 900]),
            steer: 0,
            unsteer: 0,
        };
        let seconds = Duration::from_secs;
        let plan = Self {
            patience: seconds(random.pick(&[1, 10, 600])),
            step_limit: random.pick(&[None, None, None, Some(seconds(5)), Some(seconds(30))]),
            run_limit: random.pick(&[None, None, None, Some(seconds(20)), Some(seconds(90))]),
            chats: random.pick(&[1, 1, 1, 2, 2, 3]),
            processes: random.pick(&[1, 2, 2, 2, 3]),
            turns: random.pick(&[1, 1, 2, 2, 3, 4]),
            max_steps: random.pick(&[1, 2, 2, 3, 3, 4]),
            events: random.pick(&[40, 80, 120, 160, 240]),
            readers: random.pick(&[0, 1, 2, 3, 4]),
            parts: random.pick(&[1, 3, 5, 8]),
            calls: random.pick(&[0, 200, 400, 600, 800]),
            asks: random.pick(&[0, 0, 0, 300, 1000]),
            retries: random.pick(&[0, 0, 1, 1, 2]),
            fallbacks: random.pick(&[0, 0, 0, 1, 2]),
            taint: None,
            fetches: 0,
            rates,
            weights,
        };
        if random.chance(200) { plan.about_tools(random) } else { plan }
    }

    /// The same, in which much is called, by owners who come and go while tools run, and little else happens.
    fn about_tools(self, random: &mut Random) -> Self {
        let rates = Rates {
            planned: random.pick(&[500, 1000]),
            unowned: 0,
            offering: 1000,
            provider_fails: 0,
            no_finish_reason: 0,
            bad_call: 0,
            in_between: 0,
            ..self.rates
        };
        let weights = Weights {
            begin: 200,
            tool: random.pick(&[2, 5, 20, 60]),
            control: random.pick(&[5, 60, 200]),
            crash: random.pick(&[0, 5, 15]),
            freeze: random.pick(&[0, 10, 30]),
            wake: random.pick(&[20, 100]),
            claim: 200,
            hear: 100,
            renew: 100,
            timer: random.pick(&[0, 2, 20]),
            sleep: 0,
            step: 0,
            outage: 0,
            ..self.weights
        };
        Self {
            calls: ABOUT_TOOLS,
            max_steps: 2 + self.max_steps,
            parts: 4,
            events: self.events.max(120),
            rates,
            weights,
            ..self
        }
    }
}
