using Moirai.Alarms;
using Moirai.Load.Harness;

namespace Moirai.Load.Benches;

/// <summary>N tasks that wait: what a look of the watchdog at all of them costs, and for how long it then rests.</summary>
internal sealed class AlarmLooks() : CrowdLooks(
    "alarm-look",
    "N tasks that wait, looked at by the watchdog: all within their limit, or all over it, which is one alarm",
    "the base library has no alarms",
    new("within", 1_000_000),
    new("over", 1_000_000))
{
    protected override TimeSpan SleepsBefore(string variant) => TimeSpan.FromSeconds(variant == "over" ? 1.1 : 0); // waits are counted in whole seconds

    protected override Looker Begin(Pass pass) => new Dog(pass.Runtime, isOver: pass.Variant == "over");

    private sealed class Dog : Looker
    {
        private readonly Watchdog _dog;
        private readonly bool _isOver;
        private int _raised;
        private int _rest;

        internal Dog(TaskRuntime runtime, bool isOver)
        {
            _isOver = isOver;
            var limits = new AlarmLimits
            {
                Blocked = isOver ? TimeSpan.FromSeconds(1) : TimeSpan.FromHours(1),
                WorkerHeld = null, // the thread that looks is the load's own step
                OnAlarm = alarm => _raised += alarm is { Kind: AlarmKind.BlockedTooLong, Phase: AlarmPhase.Raised } ? 1 : 0,
            };
            _dog = new Watchdog(runtime.Engine, limits) { OnFault = static error => throw new LoadFailedException(error.ToString()) };
        }

        public override void Look() => _rest = _dog.Look();

        public override void Check(Pass pass)
        {
            Pass.Check(_raised == (_isOver ? 1 : 0), $"{_raised} alarms of waits were raised");
            pass.Extra("rest_ms", _rest);
        }

        public override void Dispose() => _dog.Dispose();
    }
}
