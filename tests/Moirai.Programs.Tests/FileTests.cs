using System.IO.Pipelines;
using System.IO.Pipes;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Moirai.Programs.Tests;

/// <summary>Issue 5, part 6: files, pipes and bare sockets, by the platform's own streams.</summary>
public sealed class FileTests
{
    [Fact]
    public async Task A_copy_of_a_file_is_accounted_for_without_a_gap()
    {
        await using var stage = new Stage();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("moirai");
        try
        {
            string source = Path.Combine(folder.FullName, "source");
            string target = Path.Combine(folder.FullName, "target");
            await File.WriteAllBytesAsync(source, RandomNumberGenerator.GetBytes(300_000));
            ManagedTask copy = stage.Runtime.SpawnDetached(
                async Task (ct) =>
                {
                    await using FileStream from = new(source, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous);
                    await using FileStream to = new(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.Asynchronous);
                    byte[] block = new byte[10_000];
                    for (int read; (read = await from.ReadAsync(block, ct).ConfigureAwait(false)) > 0;)
                    {
                        stage.Time.Advance(TimeSpan.FromSeconds(1)); // so long it computes with each block
                        await to.WriteAsync(block.AsMemory(0, read), ct).ConfigureAwait(false);
                    }
                },
                name: "copy");
            await Stage.EndsAsync(copy.AsTask());

            TaskAccount account = copy.TakeAccount();
            (await SHA256.HashDataAsync(File.OpenRead(target))).ShouldBe(await SHA256.HashDataAsync(File.OpenRead(source)));
            account.Age.ShouldBe(TimeSpan.FromSeconds(30));
            account.Busy.ShouldBe(TimeSpan.FromSeconds(30), "the clock was turned by the code of the task alone, so all of it was busy");
            account.Blocked.ShouldBe(TimeSpan.Zero);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_reader_of_a_pipe_waits_with_its_line_until_somebody_writes()
    {
        await using var stage = new Stage();
        var pipe = new Pipe();
        string? site = null;
        ManagedTask<string?> reader = stage.Runtime.SpawnDetached(
            async ct =>
            {
                using var lines = new StreamReader(pipe.Reader.AsStream());
                site = Stage.Here(); string? line = await lines.ReadLineAsync(ct);
                return line;
            },
            name: "reader");
        TaskSnapshot told = await stage.StandsInAsync(reader, "a lambda in A_reader_of_a_pipe_waits_with_its_line_until_somebody_writes");
        told.AwaitSite.ShouldBe(site);
        told.Wait.ShouldNotBeNull().What.ShouldBe("StreamReader.ReadLineAsync (a pipe)");
        stage.Time.Advance(TimeSpan.FromSeconds(5));
        await pipe.Writer.WriteAsync("hello\n"u8.ToArray());
        (await Stage.EndsAsync(reader.AsTask())).ShouldBe("hello");
        reader.TakeAccount().Blocked.ShouldBe(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_pipe_between_processes_is_told_as_what_it_is()
    {
        await using var stage = new Stage();
        await using var server = new AnonymousPipeServerStream(PipeDirection.Out);
        await using var client = new AnonymousPipeClientStream(PipeDirection.In, server.ClientSafePipeHandle);
        string? site = null;
        ManagedTask<int> reader = stage.Runtime.SpawnDetached(
            async ct =>
            {
                byte[] buffer = new byte[10];
                site = Stage.Here(); int read = await client.ReadAsync(buffer, ct);
                return read;
            },
            name: "reader");
        await Stage.IsAsync(() => stage.Runtime.TakeSnapshot().Tasks is [{ State: TaskState.Blocked, Wait: not null, AwaitSite: not null } one] && one.AwaitSite == site, "the read waits");
        stage.Time.Advance(TimeSpan.FromSeconds(5));
        server.Write("12345"u8);
        (await Stage.EndsAsync(reader.AsTask())).ShouldBe(5);
        TaskAccount account = reader.TakeAccount();
        account.Age.ShouldBe(TimeSpan.FromSeconds(5));
        (account.Busy + account.Ready + account.Blocked).ShouldBe(account.Age);
    }

    [Fact]
    public async Task Parallel_receives_of_one_task_are_busy_once_and_blocked_when_all_wait()
    {
        await using var stage = new Stage();
        using var listener = new Socket(SocketType.Dgram, ProtocolType.Udp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using var other = new Socket(SocketType.Dgram, ProtocolType.Udp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        ManagedTask<string> both = stage.Runtime.SpawnDetached(
            async ct =>
            {
                string[] answers = await Task.WhenAll(HearAsync(listener, stage, ct), HearAsync(other, stage, ct));
                return string.Join(' ', answers);
            },
            name: "both");
        TaskSnapshot told = await stage.StandsInAsync(both, "a lambda in Parallel_receives_of_one_task_are_busy_once_and_blocked_when_all_wait");
        told.Wait.ShouldBe(new WaitSnapshot(WaitKind.Foreign, "Task.WhenAll"));
        stage.Time.Advance(TimeSpan.FromSeconds(5));
        using var sender = new Socket(SocketType.Dgram, ProtocolType.Udp);
        sender.SendTo("one"u8, listener.LocalEndPoint!);
        await Stage.IsAsync(() => both.TakeAccount().Busy == TimeSpan.FromSeconds(2) && both.TakeAccount().Threads == 0, () => $"the first was heard, but {both.TakeAccount()}");
        stage.Time.Advance(TimeSpan.FromSeconds(5));
        sender.SendTo("two"u8, other.LocalEndPoint!);
        (await Stage.EndsAsync(both.AsTask())).ShouldBe("one two");
        TaskAccount account = both.TakeAccount();
        (account.Busy, account.Blocked, account.Age).ShouldBe((TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(14)));
    }

    private static async Task<string> HearAsync(Socket socket, Stage stage, CancellationToken ct)
    {
        byte[] buffer = new byte[100];
        int read = await socket.ReceiveAsync(buffer, ct).ConfigureAwait(false);
        stage.Time.Advance(TimeSpan.FromSeconds(2));
        return Encoding.UTF8.GetString(buffer.AsSpan(0, read));
    }
}
