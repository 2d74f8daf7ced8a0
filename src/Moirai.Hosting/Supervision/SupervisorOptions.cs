namespace Moirai.Hosting;

/// <summary>Whom a supervisor restarts when a child has failed. The words and the rules are those of Erlang/OTP.</summary>
public enum RestartStrategy
{
    /// <summary>The child that failed, and nobody else.</summary>
    OneForOne = 0,

    /// <summary>All children: the others are stopped, in reverse order of their start, then all are started in order.</summary>
    OneForAll = 1,

    /// <summary>The child that failed and those that were added after it: they are stopped in reverse order, then started in order.</summary>
    RestForOne = 2,
}

/// <summary>Whether a child that has ended is started again.</summary>
public enum RestartPolicy
{
    /// <summary>Always, however it ended.</summary>
    Permanent = 0,

    /// <summary>Only after a failure. One that has completed, or was canceled by somebody, has done its work; it is started again only with its group.</summary>
    Transient = 1,

    /// <summary>Never, not even when it was stopped because of another child.</summary>
    Temporary = 2,
}

/// <summary>What a supervisor does when restarting has not helped.</summary>
public enum Escalation
{
    /// <summary>Stops its children and the host, with an exit code: whoever runs the process starts it anew.</summary>
    StopHost = 0,

    /// <summary>Stops its children, and leaves it at that: an error in the log, and the health check <c>moirai-supervisors</c> is unhealthy from then on.</summary>
    GiveUp = 1,
}

/// <summary>How a supervisor treats its children. Read from <c>Moirai:Supervisors:{name}</c>, then given to the code that configures it; checked when the host starts.</summary>
public sealed class SupervisorOptions
{
    /// <summary>Whom a failure touches. <see cref="RestartStrategy.OneForOne"/> by default.</summary>
    public RestartStrategy Strategy { get; set; }

    /// <summary>How many restarts there may be within <see cref="Window"/>; one more, and the supervisor escalates. 5 by default; 0 escalates at the first failure; <see cref="int.MaxValue"/> never does.</summary>
    public int MaxRestarts { get; set; } = 5;

    /// <summary>The time in which <see cref="MaxRestarts"/> are counted. A child that ran longer than this begins anew with <see cref="FirstDelay"/>. More than zero; one minute by default.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long the first restart waits; each further one of the same run of failures waits twice as long. Not negative, at most a day; 200 milliseconds by default.</summary>
    public TimeSpan FirstDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest that a restart waits. Not shorter than <see cref="FirstDelay"/>, at most a day; 30 seconds by default.</summary>
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether delays are spread at random, so that processes which failed together do not come back together. True by default.</summary>
    public bool UseJitter { get; set; } = true;

    /// <summary>What is done when more restarts than <see cref="MaxRestarts"/> were needed, or a child could not be stopped for a restart. <see cref="Escalation.StopHost"/> by default.</summary>
    public Escalation Escalation { get; set; }

    /// <summary>The exit code of the process after <see cref="Escalation.StopHost"/>: what <see cref="Environment.ExitCode"/> is set to, which counts unless <c>Main</c> returns a number. 1 to 255; 1 by default.</summary>
    public int ExitCode { get; set; } = 1;
}

/// <summary>How a supervisor treats one child. Read from <c>Moirai:Supervisors:{name}:Children:{child}</c>, then given to the code that configures it; checked when the host starts.</summary>
public sealed class SupervisedChildOptions
{
    /// <summary>Whether it is started again after it has ended. <see cref="RestartPolicy.Permanent"/> by default.</summary>
    public RestartPolicy Restart { get; set; }

    /// <summary>How long it may take to end after it was asked to, clean-up included. More than zero; <see cref="Timeout.InfiniteTimeSpan"/> waits as long as the host does. 5 seconds by default.</summary>
    public TimeSpan StopBudget { get; set; } = TimeSpan.FromSeconds(5);
}
