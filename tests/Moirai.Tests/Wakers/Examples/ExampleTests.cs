using Examples.Requests;
using Examples.Sockets;

namespace Moirai.Tests.Wakers.Examples;

/// <summary>The examples of docs/wakers.md at work. That the page shows these very files is tested in Moirai.Architecture.Tests.</summary>
public sealed class ExampleTests
{
    [Fact]
    public void D3_a_stream_gives_all_that_it_was_fed_in_order_and_then_its_end()
    {
        var world = new World();
        var stream = new ByteStream("socket 5");
        ManagedTask<byte[]> reader = world.Runtime.SpawnDetached(ReadAllAsync(stream, 3));
        world.Run();
        reader.DescribeWait().ShouldBe("data from socket 5");
        stream.Feed([1, 2, 3, 4, 5]);
        world.Run();
        stream.Feed([]);
        world.Run();
        stream.Feed([6]);
        stream.End();
        world.ShouldBeEmpty();
        reader.Result.ShouldBe([1, 2, 3, 4, 5, 6]);
    }

    [Fact]
    public void D3_a_read_that_timed_out_takes_nothing_and_the_next_one_is_woken()
    {
        var world = new World();
        var stream = new ByteStream("socket 5");
        var buffer = new byte[8];
        ManagedTask<int> reader = world.Runtime.SpawnDetached(async _ =>
        {
            try
            {
                return await stream.ReadAsync(buffer).WithTimeout(TimeSpan.FromSeconds(1));
            }
            catch (TaskTimeoutException error)
            {
                error.Message.ShouldContain("data from socket 5");
                return await stream.ReadAsync(buffer);
            }
        });
        world.Run();
        world.Advance(1);
        reader.State.ShouldBe(TaskState.Blocked);
        stream.Feed([7, 8]);
        world.ShouldBeEmpty();
        reader.Result.ShouldBe(2);
        buffer[..2].ShouldBe(new byte[] { 7, 8 });
    }

    [Fact]
    public async Task D3_a_stream_that_another_thread_feeds_loses_nothing()
    {
        const int Pieces = 20_000;
        await using var runtime = new TaskRuntime();
        var stream = new ByteStream("socket 5");
        ManagedTask<byte[]> reader = runtime.SpawnDetached(ReadAllAsync(stream, 100));
        var feeder = new Thread(() =>
        {
            for (int i = 0; i < Pieces; i++)
            {
                stream.Feed([(byte)i, (byte)(i >> 8)]);
            }

            stream.End();
        });
        feeder.Start();
        byte[] read = await reader;
        feeder.Join();
        read.Length.ShouldBe(2 * Pieces);
        Enumerable.Range(0, Pieces).ShouldAllBe(i => read[2 * i] == (byte)i && read[(2 * i) + 1] == (byte)(i >> 8));
        World.ShouldBeEmpty(runtime);
    }

    [Fact]
    public void D3_replies_find_those_who_asked_in_whatever_order_they_come()
    {
        var world = new World();
        List<(long Id, string Question)> sent = [];
        var table = new RequestTable((id, question) => sent.Add((id, question)));
        ManagedTask<string>[] asked = [.. "abc".Select(question => world.Runtime.SpawnDetached(table.AskAsync($"{question}?")))];
        sent.ShouldBeEmpty("a future is cold");
        world.Run();
        table.WaitingCount.ShouldBe(3);
        asked[1].DescribeWait().ShouldBe("the reply to request 2");
        foreach ((long id, string question) in Enumerable.Reverse(sent))
        {
            table.OnReply(id, question.Replace('?', '!')).ShouldBeTrue();
            table.OnReply(id, "again").ShouldBeFalse();
        }

        world.ShouldBeEmpty();
        asked.Select(task => task.Result).ShouldBe(["a!", "b!", "c!"]);
        table.WaitingCount.ShouldBe(0);
    }

    [Fact]
    public void D3_a_request_that_nobody_waits_for_any_more_leaves_no_entry_and_refuses_its_reply()
    {
        var world = new World();
        var table = new RequestTable(static (_, _) => { });
        ManagedTask<string> canceled = world.Runtime.SpawnDetached(table.AskAsync("?"));
        ManagedTask<string> late = world.Runtime.SpawnDetached(table.AskAsync("?").WithTimeout(TimeSpan.FromSeconds(1)));
        world.Run();
        canceled.Cancel();
        world.Advance(1);
        world.ShouldBeEmpty();
        canceled.State.ShouldBe(TaskState.Canceled);
        late.Exception.ShouldBeOfType<TaskTimeoutException>().Message.ShouldContain("the reply to request 2");
        table.WaitingCount.ShouldBe(0);
        table.OnReply(1, "late").ShouldBeFalse();
        table.OnReply(2, "late").ShouldBeFalse();
    }

    [Fact]
    public void D3_a_connection_that_is_lost_or_refuses_fails_who_asks_and_leaves_no_entry()
    {
        var world = new World();
        var error = new IOException("cable cut");
        var table = new RequestTable((_, question) =>
        {
            if (question == "too long")
            {
                throw new FormatException(question);
            }
        });
        world.Fails<FormatException>(table.AskAsync("too long"));
        ManagedTask<string> waiting = world.Runtime.SpawnDetached(table.AskAsync("?"));
        world.Run();
        table.WaitingCount.ShouldBe(1);
        table.OnLost(error);
        world.Fails<IOException>(table.AskAsync("?")).InnerException.ShouldBeSameAs(error);
        waiting.Exception.ShouldBeSameAs(error);
        table.WaitingCount.ShouldBe(0);
        world.ShouldBeEmpty();
    }

    private static async Future<byte[]> ReadAllAsync(ByteStream stream, int size)
    {
        var all = new List<byte>();
        var buffer = new byte[size];
        while (await stream.ReadAsync(buffer) is > 0 and var count)
        {
            all.AddRange(buffer.AsSpan(0, count));
        }

        return [.. all];
    }
}
